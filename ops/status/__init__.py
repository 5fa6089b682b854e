"""What the fleet is to serve and what each node and worker really serves: gathered, judged, shown.

`facts` are the records, `gather` asks everyone at once, `judge` decides whether all agree, `show` draws the table.
"""
