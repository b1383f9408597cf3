"""The steps of a run: functions with JSON in and JSON out that know no adapter. Decisions live here; whoever calls them
(the local workflow, a state machine) only maps, retries and waits.
"""
