"""Build folders as packages of other build systems: one layout a format, all text from templates."""
