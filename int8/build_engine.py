#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The original's script by name: runs build_engine of the build folder with the same flags."""
import os
import sys

root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
folders = [os.environ.get("HEDGE_BUILD", ""), os.path.join(root, "build")]
for folder in filter(None, folders):
    program = os.path.join(folder, "build_engine")
    if os.access(program, os.X_OK):
        os.execv(program, [program, *sys.argv[1:]])
sys.exit(f"build_engine.py: error: no build_engine in {os.path.join(root, 'build')}; build it "
         "(./quickstart), or say where with HEDGE_BUILD=DIR")
