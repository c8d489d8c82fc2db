"""The evidence of sessions: asciicast v3 written before anything is forwarded, signed as it grows.

`writer` writes, `reader` tails what is being written, `recording` replays, `verify` judges,
`keyframes` makes any instant reachable at once. docs/recording-format.md is the format.
"""
