# SPDX-License-Identifier: MIT
"""What the live tests share: a real smiskd, real web servers, and raw clients for both protocols."""
