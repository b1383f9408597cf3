"""The Lambda functions' doors: one module a function, under the function's own word. Each parses its event and calls
one function of bootstrap; what is decided is decided in the steps.
"""
