"""What the tests of all distributions share; `fix_*` are pytest plugins."""
