#include "orchestrator/backup/marked_comment.h"

#include <catch2/catch.hpp>

using namespace drover::orchestrator::backup;

TEST_CASE("a mark comes off a comment again") {
  CHECK(to_string({"restore 4f2a9c", "the first"}) == "[drover: restore 4f2a9c] the first");
  CHECK(sql_of({"copy 1", "it's"}) == "'[drover: copy 1] it''s'");
  for (const MarkedComment& comment : {MarkedComment{"restore 4f2a9c", "the [first] one"},
                                       MarkedComment{"copy 1", ""},
                                       MarkedComment{"", "[drover] is"},
                                       MarkedComment{"", ""}}) {
    CHECK(marked_comment_of(to_string(comment)) == comment);
  }
}
