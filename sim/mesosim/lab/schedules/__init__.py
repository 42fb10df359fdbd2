"""Schedules of faults against one device and its hosts: each dose moves at most once, and what is said of it is true.

words.py   a schedule, as plain data
cover.py   schedules by construction: each message, and each kind of fault that happens to it
play.py    plays one and judges it by the plant
primed.py  a primed device, copied for every schedule
"""
