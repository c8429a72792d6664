"""Stand-in for rules_python: the rules that Bazel 4 to 6 have of their own."""

load("@bazel_tools//tools/python:toolchain.bzl", _pair = "py_runtime_pair")

py_library = native.py_library
py_test = native.py_test
py_runtime_pair = _pair
