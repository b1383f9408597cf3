"""The parts of the stacks: names, functions and their packages, state machines, policies, schedules."""
