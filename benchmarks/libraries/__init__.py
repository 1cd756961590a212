"""Programs that call a library as its users do; run by the interpreter that has it."""
