// Asio and Beast, compiled here once (BOOST_ASIO_SEPARATE_COMPILATION and its like for Beast). The
// only file that may include these.

#include <boost/asio/impl/src.hpp>
#include <boost/beast/src.hpp>
