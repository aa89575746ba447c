"""alearn-example: a folder of pictures to try alearn on. paint: shapes with light on them; fruit: what is shown;
scene: a whole picture; command: the folder.
"""
