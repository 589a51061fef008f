"""llama.cpp's web page, built once on this machine for all hosts of all sites.

Node comes from PyPI (`node`), the page's source is the one that hosts build from (`source`), npm
makes the page of it (`page`). Other people's programs run as the user who asked (`programs`).
"""
