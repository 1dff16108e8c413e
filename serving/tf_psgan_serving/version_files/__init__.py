"""Checks of a version's folder before its graph is loaded. Used by the embedded server and by `tf_psgan`.

`checksums` compares the files with the SHA-256 that the export wrote beside them; `operations` rejects graphs that
could read files, write files or open connections.
"""
