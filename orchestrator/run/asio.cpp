// Asio, compiled here once (BOOST_ASIO_SEPARATE_COMPILATION). The only file that may include this.

#include <boost/asio/impl/src.hpp>
