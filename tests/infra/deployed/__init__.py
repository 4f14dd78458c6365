"""The synthesized template, deployed whole into an emulator of AWS, with the real bundle behind it."""
