"""Certificates by themselves: plan one, make one for labels of any source, check one."""
