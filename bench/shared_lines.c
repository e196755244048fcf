// A Valgrind tool: which cache lines several threads touch while at least one of them writes, and which instructions do.
// Nothing is watched until the program writes to file descriptor kStart (which does not exist); writing to kStop ends it and
// puts the table into the file --lines-file names. bench/shared_writes compiles it, runs it and explains the table.
#include <config.h>
#include <pub_tool_basics.h>
#include <pub_tool_clientstate.h>
#include <pub_tool_debuginfo.h>
#include <pub_tool_libcassert.h>
#include <pub_tool_libcbase.h>
#include <pub_tool_libcfile.h>
#include <pub_tool_libcprint.h>
#include <pub_tool_machine.h>
#include <pub_tool_mallocfree.h>
#include <pub_tool_options.h>
#include <pub_tool_stacktrace.h>
#include <pub_tool_tooliface.h>
#include <pub_tool_vki.h>
#include <pub_tool_vkiscnums.h>
#include <pub_tool_threadstate.h>

enum { kStart = 1000001, kStop = 1000002, kSlots = 1 << 21, kThreads = 64, kDepth = 7, kSystemCalls = 512 };

// What one thread does to one cache line in one instruction.
typedef struct {
  Addr ip, line;
  UInt thread;
  UInt first_byte;
  ULong reads, writes, atomics;
  UInt depth;
  Addr where[kDepth];
} Slot;

static Slot* slots;
static Slot rest;  // stands for what the table has no room for: lines that are touched for the first time late
static ULong used;
static ULong watching;  // generated code reads it
static const HChar* lines_file = "shared_lines.out";
static Long line_bytes = 64;
static ULong system_calls[kSystemCalls];

static Slot* slot_of(Addr ip, Addr addr) {
  const Addr line = addr & -(Addr)line_bytes;
  const UInt thread = VG_(get_running_tid)();
  ULong at = ((ip * 0x9E3779B97F4A7C15ull) ^ (line * 0xC2B2AE3D27D4EB4Full) ^ (thread * 0x165667B19E3779F9ull)) >> 20;
  for (;; ++at) {
    Slot* s = &slots[at % kSlots];
    if (s->ip == ip && s->line == line && s->thread == thread) return s;
    if (s->ip == 0) {
      if (used == kSlots * 9ull / 10) return &rest;
      ++used;
      s->ip = ip;
      s->line = line;
      s->thread = thread;
      s->first_byte = addr - line;
      s->depth = VG_(get_StackTrace)(thread, s->where, kDepth, NULL, NULL, 0);
      return s;
    }
  }
}

static VG_REGPARM(2) void on_read(Addr ip, Addr addr) { if (watching) ++slot_of(ip, addr)->reads; }
static VG_REGPARM(2) void on_write(Addr ip, Addr addr) { if (watching) ++slot_of(ip, addr)->writes; }
static VG_REGPARM(2) void on_atomic(Addr ip, Addr addr) {
  if (watching) {
    Slot* s = slot_of(ip, addr);
    ++s->writes;
    ++s->atomics;
  }
}

static void call(IRSB* out, const HChar* name, void* helper, Addr ip, IRExpr* addr, IRExpr* guard) {
  IRDirty* d = unsafeIRDirty_0_N(2, name, VG_(fnptr_to_fnentry)(helper), mkIRExprVec_2(mkIRExpr_HWord(ip), addr));
  d->guard = guard;
  addStmtToIRSB(out, IRStmt_Dirty(d));
}
#define CALL(helper, addr, guard) call(out, #helper, (void*)helper, ip, addr, guard)

static IRSB* instrument(VgCallbackClosure* closure, IRSB* in, const VexGuestLayout* layout, const VexGuestExtents* extents,
                        const VexArchInfo* arch, IRType word, IRType host_word) {
  IRSB* out = deepCopyIRSBExceptStmts(in);
  Addr ip = 0;
  Int i = 0;
  for (; i < in->stmts_used && in->stmts[i]->tag != Ist_IMark; ++i) addStmtToIRSB(out, in->stmts[i]);
  const IRTemp flag = newIRTemp(out->tyenv, Ity_I64), on = newIRTemp(out->tyenv, Ity_I1);
  addStmtToIRSB(out, IRStmt_WrTmp(flag, IRExpr_Load(Iend_LE, Ity_I64, mkIRExpr_HWord((HWord)&watching))));
  addStmtToIRSB(out, IRStmt_WrTmp(on, IRExpr_Binop(Iop_CmpNE64, IRExpr_RdTmp(flag), IRExpr_Const(IRConst_U64(0)))));
  IRExpr* always = IRExpr_RdTmp(on);
  for (; i < in->stmts_used; ++i) {
    IRStmt* st = in->stmts[i];
    switch (st->tag) {
      case Ist_IMark: ip = st->Ist.IMark.addr; break;
      case Ist_WrTmp:
        if (st->Ist.WrTmp.data->tag == Iex_Load) CALL(on_read, st->Ist.WrTmp.data->Iex.Load.addr, always);
        break;
      case Ist_Store: CALL(on_write, st->Ist.Store.addr, always); break;
      case Ist_LoadG: CALL(on_read, st->Ist.LoadG.details->addr, st->Ist.LoadG.details->guard); break;
      case Ist_StoreG: CALL(on_write, st->Ist.StoreG.details->addr, st->Ist.StoreG.details->guard); break;
      case Ist_CAS: CALL(on_atomic, st->Ist.CAS.details->addr, always); break;
      case Ist_Dirty: {
        IRDirty* d = st->Ist.Dirty.details;
        if (d->mFx == Ifx_Read) CALL(on_read, d->mAddr, d->guard);
        if (d->mFx == Ifx_Write || d->mFx == Ifx_Modify) CALL(on_write, d->mAddr, d->guard);
        break;
      }
      default: break;
    }
    addStmtToIRSB(out, st);
  }
  return out;
}

static Int by_line(const void* a, const void* b) {
  const Slot *x = a, *y = b;
  return x->line < y->line ? -1 : x->line > y->line;
}

static void describe(VgFile* f, const Slot* s) {
  const DiEpoch epoch = VG_(current_DiEpoch)();
  for (UInt i = 0; i < s->depth; ++i) {
    InlIPCursor* cursor = VG_(new_IIPC)(epoch, s->where[i]);
    do VG_(fprintf)(f, "\t%s", VG_(describe_IP)(epoch, s->where[i], cursor));
    while (VG_(next_IIPC)(cursor));
    VG_(delete_IIPC)(cursor);
  }
}

// Rows of tab-separated fields: the lines that one thread writes and another one touches, then every atomic instruction.
static void report(void) {
  VgFile* f = VG_(fopen)(lines_file, VKI_O_CREAT | VKI_O_TRUNC | VKI_O_WRONLY, 0644);
  if (!f) VG_(tool_panic)("the file for the table cannot be written");
  ULong n = 0;
  for (ULong i = 0; i < kSlots; ++i)
    if (slots[i].ip) slots[n++] = slots[i];
  VG_(ssort)(slots, n, sizeof(Slot), by_line);
  for (ULong i = 0, end; i < n; i = end) {
    ULong touches[kThreads] = {0}, writes[kThreads] = {0};
    for (end = i; end < n && slots[end].line == slots[i].line; ++end) {
      touches[slots[end].thread % kThreads] += slots[end].reads + slots[end].writes;
      writes[slots[end].thread % kThreads] += slots[end].writes;
    }
    ULong transfers = 0;
    for (UInt a = 0; a < kThreads; ++a)
      for (UInt b = 0; b < kThreads; ++b)
        if (a != b) {
          const ULong both = writes[a] < touches[b] ? writes[a] : touches[b];
          if (both > transfers) transfers = both;
        }
    for (ULong j = i; j < end; ++j) {
      const Slot* s = &slots[j];
      if (!transfers && !s->atomics) continue;
      VG_(fprintf)(f, "%s\t0x%lx\t%u\t%u\t%llu\t%llu\t%llu\t%llu", transfers ? "shared" : "own", s->line, s->first_byte,
                   s->thread, transfers, s->reads, s->writes, s->atomics);
      describe(f, s);
      VG_(fprintf)(f, "\n");
    }
  }
  for (UInt i = 0; i < kSystemCalls; ++i)
    if (system_calls[i]) VG_(fprintf)(f, "call\t%u\t%llu\n", i, system_calls[i]);
  VG_(fclose)(f);
}

static void before_system_call(ThreadId thread, UInt number, UWord* args, UInt n) {
  if (number == __NR_write && (args[0] == kStart || args[0] == kStop)) {
    const Bool start = args[0] == kStart;
    if (start == (watching != 0)) return;
    watching = start;
    if (start) {
      used = 0;
      VG_(memset)(slots, 0, sizeof(Slot) * (SizeT)kSlots);
      VG_(memset)(system_calls, 0, sizeof system_calls);
    } else {
      report();
    }
  } else if (watching && number < kSystemCalls) {
    ++system_calls[number];
  }
}
static void after_system_call(ThreadId thread, UInt number, UWord* args, UInt n, SysRes result) {}

static Bool option(const HChar* arg) {
  if VG_STR_CLO (arg, "--lines-file", lines_file) {}
  else if VG_INT_CLO (arg, "--line-bytes", line_bytes) {}
  else
    return False;
  return True;
}
static void usage(void) {
  VG_(printf)("    --lines-file=FILE   where the table goes\n"
              "    --line-bytes=N      the size of a cache line\n");
}
static void no_usage(void) {}
static void after_options(void) { slots = VG_(calloc)("slots", kSlots, sizeof(Slot)); }
static void finish(Int status) {}

static void before_options(void) {
  VG_(details_name)("shared_lines");
  VG_(details_version)(NULL);
  VG_(details_description)("cache lines that threads share");
  VG_(details_copyright_author)("Amphis");
  VG_(details_bug_reports_to)("-");
  VG_(basic_tool_funcs)(after_options, instrument, finish);
  VG_(needs_command_line_options)(option, usage, no_usage);
  VG_(needs_syscall_wrapper)(before_system_call, after_system_call);
}
VG_DETERMINE_INTERFACE_VERSION(before_options)
