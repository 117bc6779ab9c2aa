"""Rules, one module each. In: a `Case`. Out: candidates. A code is never used again for anything else."""

from __future__ import annotations

from cachelens.registry import Entry, Registry

RULES = Registry(
    "rule",
    {
        "CL101": Entry(
            "cachelens.advise.rules.cl101_volatile_prefix:VolatilePrefix",
            "a clock, id or counter early in the prompt",
        ),
        "CL102": Entry(
            "cachelens.advise.rules.cl102_billing_header_nonce:BillingHeaderNonce",
            "a billing header whose hash changes with every request",
        ),
        "CL103": Entry(
            "cachelens.advise.rules.cl103_reordered_tools:ReorderedTools", "the same tools in another order"
        ),
        "CL104": Entry(
            "cachelens.advise.rules.cl104_tool_schema_churn:ToolSchemaChurn",
            "a tool definition that changes in mid-session",
        ),
        "CL105": Entry(
            "cachelens.advise.rules.cl105_tool_set_flap:ToolSetFlap", "tools that come and go in mid-session"
        ),
        "CL106": Entry(
            "cachelens.advise.rules.cl106_hoisted_system:HoistedSystem",
            "system messages that the server moves to the front",
        ),
        "CL107": Entry(
            "cachelens.advise.rules.cl107_rewritten_history:RewrittenHistory",
            "an earlier message changed in place",
        ),
        "CL108": Entry(
            "cachelens.advise.rules.cl108_sliding_window:SlidingWindow",
            "the oldest messages dropped while the rest stays",
        ),
        "CL109": Entry("cachelens.advise.rules.cl109_compaction:Compaction", "history replaced by a summary"),
        "CL110": Entry(
            "cachelens.advise.rules.cl110_environment_in_prefix:EnvironmentInPrefix",
            "working directory, git status or file list early in the prompt",
        ),
        "CL111": Entry(
            "cachelens.advise.rules.cl111_dropped_reasoning:DroppedReasoning",
            "thinking of an earlier turn gone or rendered anew",
        ),
        "CL112": Entry(
            "cachelens.advise.rules.cl112_unfaithful_echo:UnfaithfulEcho",
            "a reply sent back other than it was generated",
        ),
        "CL113": Entry(
            "cachelens.advise.rules.cl113_unstable_serialisation:UnstableSerialisation",
            "the same content in another spelling",
        ),
        "CL114": Entry(
            "cachelens.advise.rules.cl114_shareable_prefix_lost:ShareablePrefixLost",
            "something of its own before what sessions share",
        ),
        "CL201": Entry(
            "cachelens.advise.rules.cl201_duplicate_tool_output:DuplicateToolOutput",
            "the same tool output twice in one prompt",
        ),
        "CL202": Entry(
            "cachelens.advise.rules.cl202_reread_file:RereadFile", "the same file read again and again"
        ),
        "CL203": Entry(
            "cachelens.advise.rules.cl203_oversized_tool_output:OversizedToolOutput",
            "one tool output that fills the prompts",
        ),
        "CL204": Entry(
            "cachelens.advise.rules.cl204_unused_tool_definition:UnusedToolDefinition",
            "a tool that is always defined and never called",
        ),
        "CL205": Entry(
            "cachelens.advise.rules.cl205_failed_rerun:FailedRerun",
            "output of a command that failed and was run again",
        ),
        "CL206": Entry(
            "cachelens.advise.rules.cl206_edit_echo:EditEcho", "a tool that sends back what was just written"
        ),
        "CL301": Entry(
            "cachelens.advise.rules.cl301_stale_history:StaleHistory",
            "outputs carried along after they were superseded, or never used",
        ),
        "CL302": Entry(
            "cachelens.advise.rules.cl302_late_or_early_compaction:LateOrEarlyCompaction",
            "compaction where it does not pay",
        ),
        "CL401": Entry(
            "cachelens.advise.rules.cl401_undersized_cache:UndersizedCache",
            "a cache too small for what comes back",
        ),
        "CL402": Entry(
            "cachelens.advise.rules.cl402_expired_cache:ExpiredCache",
            "entries that lapse before they are used again",
        ),
        "CL403": Entry(
            "cachelens.advise.rules.cl403_missing_breakpoint:MissingBreakpoint",
            "no cache breakpoint where one would pay",
        ),
        "CL404": Entry(
            "cachelens.advise.rules.cl404_scattered_routing:ScatteredRouting",
            "requests that reach another server than their prefix",
        ),
        "CL405": Entry(
            "cachelens.advise.rules.cl405_lineage_thrash:LineageThrash",
            "lineages of one session that evict each other",
        ),
        "CL406": Entry(
            "cachelens.advise.rules.cl406_non_prefix_reuse:NonPrefixReuse",
            "content that only a position-independent cache could serve",
        ),
        "CL901": Entry(
            "cachelens.advise.rules.cl901_unreconciled_usage:UnreconciledUsage",
            "simulated and reported tokens differ",
        ),
        "CL902": Entry(
            "cachelens.advise.rules.cl902_partial_prompt:PartialPrompt",
            "a capture without system prompt or tools",
        ),
        "CL903": Entry(
            "cachelens.advise.rules.cl903_clock_disorder:ClockDisorder",
            "times missing, equal or out of order",
        ),
    },
    group="cachelens.rules",
)
