"""`slipway batch`: a file of rows in, the same rows with their predictions out, its chunks scored as jobs.

The file is never whole in memory. What has been answered is kept beside the output, so that an interrupted run goes on.
"""
