from nova.objects.flavor import Flavor as Flavor
from nova.objects.image_meta import ImageMeta as ImageMeta
from nova.objects.instance import Instance as Instance
from nova.objects.migration import Migration as Migration
from nova.objects.share_mapping import ShareMappingList as ShareMappingList

def register_all() -> None: ...
