"""The pages for people. Each module beside this one lists its own as `PAGES`."""

from serving.pages import funnel, jobs, lead, losses, model, profile, queue, signing
from serving.pages.frame import Page

__all__ = ["ALL"]

ALL: tuple[Page, ...] = (*signing.PAGES, *queue.PAGES, *lead.PAGES, *model.PAGES, *jobs.PAGES, *profile.PAGES, *funnel.PAGES, *losses.PAGES)
