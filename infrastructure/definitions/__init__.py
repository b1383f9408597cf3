"""The state machines, one file each, as plain Amazon States Language. They map, retry and wait; steps decide."""
