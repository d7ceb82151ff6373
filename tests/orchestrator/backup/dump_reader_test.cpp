#include "orchestrator/backup/dump_reader.h"

#include <string>
#include <vector>

#include <catch2/catch.hpp>

using drover::engine::RowSum;
using drover::engine::TableDigest;
using drover::orchestrator::backup::DumpContent;
using drover::orchestrator::backup::DumpReader;

namespace {

/// As pg_restore --section=data prints it.
constexpr const char* kDump = R"(--
-- PostgreSQL database dump
--

-- Dumped from database version 15.20 (Debian 15.20-0+deb12u1)
-- Dumped by pg_dump version 16.9

SET statement_timeout = 0;

COPY acme.drover_revisions (epoch, revision, run) FROM stdin;
2	0002	r
1	0001	r
\.


COPY acme.drover_tenant (only_row, format, uid, environment) FROM stdin;
t	1	7c9e-a1	prod
\.


COPY other.drover_tenant (only_row, format, uid, environment) FROM stdin;
t	1	not-this	prod
\.


COPY acme."Od.d ""name""" (id, "uid") FROM stdin;
1	COPY acme.fake (id) FROM stdin;
2	\\.
3	SELECT pg_catalog.setval('acme.s', 1, true);
\.


COPY acme.empty (id) FROM stdin;
\.


SELECT pg_catalog.setval('acme.files_id_seq', 5, true);
)";

TableDigest digest(const std::string& table, const std::vector<std::string>& rows) {
  RowSum sum;
  for (const std::string& row : rows) {
    sum.add(row);
  }
  return sum.digest_of(table);
}

}  // namespace

TEST_CASE("a dump's tables, tenant, revisions and versions are read, however it is cut") {
  const std::string text = kDump;
  for (const std::size_t size : {text.size(), std::size_t{1}, std::size_t{7}, std::size_t{64}}) {
    DumpReader reader("acme");
    for (std::size_t at = 0; at < text.size(); at += size) {
      reader.take(std::string_view(text).substr(at, size));
    }
    const DumpContent content = reader.finish();
    CHECK(reader.defect() == "");
    CHECK(content.uid == "7c9e-a1");
    CHECK(content.revisions == std::vector<std::string>{"0001", "0002"});
    CHECK(content.server_version == "15.20 (Debian 15.20-0+deb12u1)");
    CHECK(content.tool_version == "16.9");
    CHECK(content.tables ==
          std::vector<TableDigest>{digest("(sequences)", {"files_id_seq', 5, true);"}),
                                   digest("acme.Od.d \"name\"",
                                          {"1\tCOPY acme.fake (id) FROM stdin;",
                                           "2\t\\\\.",
                                           "3\tSELECT pg_catalog.setval('acme.s', 1, true);"}),
                                   digest("acme.drover_revisions", {"1\t0001\tr", "2\t0002\tr"}),
                                   digest("acme.drover_tenant", {"t\t1\t7c9e-a1\tprod"}),
                                   digest("acme.empty", {}),
                                   digest("other.drover_tenant", {"t\t1\tnot-this\tprod"})});
  }
}

TEST_CASE("a name with a line break does not end the COPY statement early") {
  DumpReader reader("public");
  reader.take("COPY public.\"a\nb\" (id) FROM stdin;\n1\n\\.\n");
  const DumpContent content = reader.finish();
  CHECK(reader.defect() == "");
  CHECK(content.tables == std::vector<TableDigest>{digest("public.a\nb", {"1"})});
}

TEST_CASE("a dump that breaks off says where") {
  const auto defect_of = [](std::string_view text) {
    DumpReader reader("public");
    reader.take(text);
    reader.finish();
    return reader.defect();
  };
  CHECK(defect_of("COPY public.a (id) FROM stdin;\n1\n") == "it ends inside the rows of a table");
  CHECK(defect_of("COPY public.\"a\n") == "it ends inside a COPY statement");
  CHECK(defect_of("SET statement_timeout = 0;\nSELECT pg_cat") == "it ends inside a line");
  CHECK(defect_of("") == "");
}
