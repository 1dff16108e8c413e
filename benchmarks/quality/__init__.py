"""How much pictures look like their source, by measures that training never sees."""
