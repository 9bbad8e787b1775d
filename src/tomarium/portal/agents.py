"""What a request says it is sent by: a browser, a program that somebody runs, or a robot.

Robots are told by the words that their own pages ask operators to look for, as the list of the COUNTER Code of
Practice for Research Data does (https://github.com/atmire/COUNTER-Robots names most of the same). No browser names the
address of a page or calls itself compatible with others since Internet Explorer. Whoever says nothing is taken for a
robot.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final, Literal

Agent = Literal["regular", "machine", "robot"]

_ROBOTS: Final = (
    *("bot", "crawl", "spider", "slurp", "scrap", "harvest", "archiver", "fetcher", "scanner", "validator"),
    *("feed", "rss", "preview", "monitor", "uptime", "pingdom", "check", "probe", "index", "search"),
    *("facebookexternalhit", "meta-external", "mediapartners", "google-", "googleother", "apis-google", "bingpreview"),
    *("yahoo", "baidu", "yandex", "sogou", "qwant", "ask jeeves", "ia_archiver", "heritrix", "nutch", "wordpress"),
    *("whatsapp", "telegram", "skypeuri", "embedly", "flipboard", "pinterest", "tumblr", "snap url", "vkshare"),
    *("headless", "phantomjs", "lighthouse", "pagespeed", "selenium", "puppeteer", "gtmetrix", "webpagetest"),
    *("gptbot", "chatgpt", "anthropic", "claude", "perplexity", "cohere", "bytespider", "ccbot", "ai2", "openai"),
    *("ahrefs", "semrush", "majestic", "dataprovider", "netcraft", "censys", "shodan", "zgrab", "masscan", "nmap"),
    *("nikto", "sqlmap", "python-scrapy", "site24x7", "statuscake", "newrelic", "datadog", "zabbix", "nagios"),
    *("testclient", "schemathesis"),
    *("libwww-perl", "mechanize", "httrack", "teleport", "webcopier", "offline explorer", "webzip", "grabber"),
    *("link", "audit", "analy", "extract", "detect", "discover", "survey", "research", "inspect", "collector"),
)  # fmt: skip
"""Parts of the names of robots."""
_PROGRAMS: Final = (
    *("tomarium", "curl", "wget", "aria2", "rclone", "python", "aiohttp", "httpx", "urllib", "requests", "fsspec"),
    *("zarr", "java", "okhttp", "apache-httpclient", "go-http-client", "julia", "libcurl", "r-curl", "rcurl", "httr"),
    *("matlab", "perl", "ruby", "node", "axios", "undici", "powershell", "libfetch", "lftp", "axel", "gvfs", "davfs"),
    *("napari", "imagej", "fiji", "vtk", "paraview", "h5coro", "gdal", "hdf5", "reqwest", "dart", "php", "guzzle"),
)  # fmt: skip
"""Parts of the names of programs by which people take data."""
_ROBOT: Final = re.compile("|".join(map(re.escape, _ROBOTS)))
_NO_BROWSER: Final = re.compile(r"https?:|www\.|@|\.(com|net|org|ai|ru)\b|compatible;(?! msie)")
_PROGRAM: Final = re.compile("|".join(map(re.escape, _PROGRAMS)))
_BROWSER: Final = re.compile(r"mozilla/5\.0 .*(firefox|chrome|safari|gecko|trident|edg)|opera")


@lru_cache(maxsize=1024)
def agent_of(text: str) -> Agent:
    """Tell what sends a request.

    Parameters
    ----------
    text : str
        Its header User-Agent; any text.

    Returns
    -------
    str
        "robot" for what says so or says nothing, "machine" for a program that somebody runs, else "regular".
    """
    name = text.strip().lower()[:500]
    is_program = _PROGRAM.match(name) is not None
    if not name or _ROBOT.search(name) or (not is_program and _NO_BROWSER.search(name)):
        return "robot"
    if _BROWSER.search(name):
        return "regular"
    return "machine" if is_program or not name.startswith("mozilla/") else "regular"
