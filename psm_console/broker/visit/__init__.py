"""The console and its commands over ssh, each visit a confined process."""
