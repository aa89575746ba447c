"""People, on a page in their browsers: served from the trial's own process while it runs.

channel   the server, and the trial's side of it
app       HTTP; guard says who may talk, form what a request may hold
room      what people are told and may do
desk      who gets which image; alike finds look-alikes
page/     what the browser gets: no framework, no build step, nothing from other hosts
"""

from alearn.oracle.web.channel import Web

__all__ = ["Web"]
