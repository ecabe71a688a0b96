"""The embedded AWS: the real template brought up inside this process, its event sources driven as AWS would."""
