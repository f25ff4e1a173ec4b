"""Other libraries of feature visualization, and this one, behind one face: a file for each library.

The models' weights are frozen for all. Each runs on its documented defaults, with the model's input size and
normalisation where its documents ask for them. What a library needs besides, to run with today's packages or on a ViT
of fixed input size, stands in its file's docstring. The packages are those of the extra `bench`; they are imported
when a picture is drawn.
"""

from vitexplore.tools.peers import horama, lucent, ours, torch_dreams
from vitexplore.tools.peers.way import Way

PEERS = (
    Way("torch_dreams", torch_dreams.version, torch_dreams.draw),
    Way("lucent", lucent.version, lucent.draw),
    Way("horama_maco", horama.version, horama.draw_maco, horama.SEEN, draws=horama.few),
)
OURS = tuple(Way(name, ours.version(name), ours.drawer(name), network=ours.network) for name in ours.OWN)
WAYS = (*PEERS, *OURS)
