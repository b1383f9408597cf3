# Short names for scripts/dev.py, which holds the logic and works without make.
PYTHON ?= python3
.PHONY: demo test check lock setup
demo test check lock setup:
	@$(PYTHON) scripts/dev.py $@ $(ARGS)
