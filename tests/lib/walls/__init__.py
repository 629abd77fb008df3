# SPDX-License-Identifier: MIT
"""Measures that keep the house's walls: each takes text or objects and returns what breaks the rule, as lines."""
