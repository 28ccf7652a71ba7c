# SPDX-License-Identifier: Apache-2.0
"""What tools/jetson-acceptance is made of. Python 3.8 or later, the standard library alone."""
