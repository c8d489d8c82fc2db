"""The process beside the broker that looks at live sessions: keyframes and last lines.

Off the byte path, budgeted and killable: what it does not do costs nobody a byte.
"""
