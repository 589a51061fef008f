"""From a bare host to a llama-server whose MTP speedup was proven on that host."""

from llamarig.tasks import llama_cpp, model, preflight, server, toolchain

preflight.check()
model.begin()
toolchain.install()
llama_cpp.build()
model.await_()
server.stage()
server.prove()
server.switch()
