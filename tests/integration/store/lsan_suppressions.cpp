/// libpqxx 6.4 forgets the PGresult of a statement whose connection was lost (it asks for the client's
/// encoding before it takes the result over, and that throws). About 1 KiB each time; not ours to free.
extern "C" const char* __lsan_default_suppressions();
extern "C" const char* __lsan_default_suppressions() {
  return "leak:PQmakeEmptyPGresult\n";
}
