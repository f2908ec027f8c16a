# The only C++: a C ABI over ATen.
noinst_LIBRARIES += libtorch_shim.a
libtorch_shim_a_SOURCES = daemon/torch/shim.cc
libtorch_shim_a_CXXFLAGS = $(AM_CXXFLAGS) $(TORCH_CXXFLAGS)
