"""What strangers send, parsed: the same promises for hypothesis, in the suite, and for atheris, in ``make fuzz``."""
