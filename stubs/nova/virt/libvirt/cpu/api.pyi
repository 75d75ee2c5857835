from nova.objects import Instance

class API:
    def power_up_for_instance(self, instance: Instance) -> None: ...
