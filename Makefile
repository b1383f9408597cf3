# Short names for scripts/dev.py, which holds the logic and works without make.
PYTHON ?= python3
.PHONY: demo test check lock setup rehearsal kill-matrix histories mutations bench profile
demo test check lock setup rehearsal kill-matrix histories mutations bench profile:
	@$(PYTHON) scripts/dev.py $@ $(ARGS)
