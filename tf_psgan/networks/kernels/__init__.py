"""Operations of the networks with gradients of their own, in the form that is fastest on processors."""
