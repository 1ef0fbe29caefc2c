"""The StreamField blocks of pages and news: one folder each, with the class and its template."""

from wagtail import blocks

from core.blocks.button import ButtonBlock
from core.blocks.figures import FiguresBlock
from core.blocks.gallery import GalleryBlock
from core.blocks.goals import GoalsBlock
from core.blocks.heading import HeadingBlock
from core.blocks.map import MapBlock
from core.blocks.partners import PartnersBlock
from core.blocks.picture import PictureBlock
from core.blocks.pillars import PillarsBlock
from core.blocks.quote import QuoteBlock
from core.blocks.statement import StatementBlock
from core.blocks.text import TextBlock
from core.blocks.timeline import TimelineBlock
from core.blocks.video import VideoBlock


class BodyBlock(blocks.StreamBlock):
    """The body of pages and news articles."""

    heading = HeadingBlock()
    text = TextBlock()
    statement = StatementBlock()
    pillars = PillarsBlock()
    goals = GoalsBlock()
    timeline = TimelineBlock()
    figures = FiguresBlock()
    partners = PartnersBlock()
    map = MapBlock()
    picture = PictureBlock()
    gallery = GalleryBlock()
    video = VideoBlock()
    quote = QuoteBlock()
    button = ButtonBlock()
