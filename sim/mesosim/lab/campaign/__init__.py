"""Campaigns: seeds x scenarios on any `concurrent.futures.Executor`, resumable, in shards, on one machine or many.

cases.py      what is to be played: scenarios, seeds, a shard of them
draw.py       what a seed draws: values of the plant, and whether a fault strikes
identity.py   which code plays: a result counts only for the package that made it
worker.py     what runs in a worker process
pools.py      executors: processes of this machine, or Dask by URL
running.py    hands cases to an executor, survives workers that die
results.py    the file of results: JSON lines, appended, merged
campaign.py   all of it, into a folder
"""
