/* The slot register protocol in small: one register of one slot, in two epochs, under every order of events.
 *
 * Nodes 0, 1 and 2 hold epoch 1; node 3 is new.  Three nodes hold epoch 2: 3 comes in place of 0 or of 1.  Two
 * proposers run one operation each on the register, in either epoch, until it has an answer or their ballots are used
 * up.  With ELECTION, two drivers, each with a plan of its own, decide who holds epoch 2, and nobody uses the register;
 * without it epoch 2 is decided at any moment.  A message that was sent stays sent: it may arrive late, twice, after
 * later ones or never, and an answer may be lost.  One node crashes and keeps its disk.
 *
 * README.md has the bounds, the commands, the results, and which function each step stands for.
 */

#ifndef ROUNDS
#define ROUNDS 1            /* ballots of one proposer in one epoch */
#endif
#ifndef OP0
#define OP0 CREATE
#endif
#ifndef OP1
#define OP1 CREATE
#endif
#ifndef PLAN
#define PLAN 1              /* who is given epoch 2, if no drivers elect it: 1, 2, or nobody (0) */
#endif

#define NODES 4
#define NEWCOMER 3
#define PROPOSERS 2
#define DRIVERS 2
#define ATTEMPTS (2 * ROUNDS)
#define NEEDED 2            /* a majority of three */

/* operations */
#define CREATE 1            /* a value of its own, if there is none */
#define SWAP 2              /* compare-and-set: another value, if there is one */
#define READ 3

/* values: 0 is none, 1 and 2 are created by proposers 0 and 1, 3 is what SWAP makes of one of them */
#define NONE 0
#define SWAPPED 3

/* states of a node, as in configuration.State */
#define ABSENT 0
#define LEARN 1
#define ACTIVE 2
#define SEALED 3
#define RETIRED 4

/* phases of a proposer, and of a driver */
#define IDLE 0
#define ASKING 1            /* a fast read; a driver's nomination */
#define PREPARING 2
#define ACCEPTING 3         /* also a driver's election */
#define DONE 4

byte epoch[NODES], state[NODES];
bit frozen[NODES];          /* while LEARN: its records are its own of epoch 1 */
bit passed[NODES];          /* no member of epoch 2, and knows it */
byte promised[NODES], accepted[NODES], value[NODES];
byte voted[NODES], elected[NODES], nominee[NODES];
byte sources[NODES];        /* whom a learner has learned from: lost in a crash */
bit page[NODES];            /* records of a node that serves epoch 2, on their way to a learner */
byte pagedBallot[NODES], pagedValue[NODES];

byte phase[PROPOSERS], attempts[PROPOSERS], granted[PROPOSERS], best[PROPOSERS], held[PROPOSERS], agreeing[PROPOSERS];
byte sent[PROPOSERS * ATTEMPTS]; /* the value of an ACCEPT, plus 1 */
byte before[PROPOSERS];     /* how far the register had come when the operation began */
byte told, reached;         /* the creator that clients know of; how far the register has come, as they know */

byte drive[DRIVERS], won[DRIVERS], bestVote[DRIVERS], plan[DRIVERS];
byte decided;               /* 1 or 2: which plan epoch 2 follows */
bit crashed;

#if defined(REPLY_BEFORE_SYNC)
byte oldPromised[NODES], oldAccepted[NODES], oldValue[NODES];
#define save(a) oldPromised[a] = promised[a]; oldAccepted[a] = accepted[a]; oldValue[a] = value[a]
#else
#define save(a) skip
#endif

#define bits(mask) (((mask) & 1) + (((mask) >> 1) & 1) + (((mask) >> 2) & 1) + (((mask) >> 3) & 1))
#define wanted(n) ((n) == 1 -> 14 : 13)             /* {1, 2, 3} or {0, 2, 3} */
#define isMember(a) ((wanted(decided) >> (a)) & 1)
#define isOf1(a) ((a) != NEWCOMER)
#define operation(p) ((p) == 0 -> OP0 : OP1)

/* ballots are compared by (epoch, round, proposer); 0 is none */
#define epochOf(k) (1 + (k) / ROUNDS)
#define ballot(p, k) (1 + (k) * PROPOSERS + (p))
#define epochOfBallot(b) (epochOf(((b) - 1) / PROPOSERS))
#define isCurrent(p, k) (attempts[p] == (k) + 1)

#if defined(NO_EPOCH_TEST)
#define serves(a, k) (state[a] == ACTIVE)
#elif defined(SERVE_WHILE_SEALED)
#define serves(a, k) ((state[a] == ACTIVE || state[a] == SEALED) && epoch[a] == epochOf(k))
#else
#define serves(a, k) (state[a] == ACTIVE && epoch[a] == epochOf(k))
#endif
#define votes(a) (epoch[a] == 1 && (state[a] == ACTIVE || state[a] == SEALED) && !passed[a])
#define knows(a) (epoch[a] == 2 || passed[a])

#if defined(PULL_FROM_ONE)
#define SOURCES 1
#else
#define SOURCES NEEDED
#endif

#if defined(AGREED_IN_ANY_EPOCH)
#define isAgreed(p) (agreeing[p] >= NEEDED)
#elif defined(NO_WRITE_BACK)
#define isAgreed(p) true
#else
#define isAgreed(p) (agreeing[p] >= NEEDED && (best[p] == 0 || epochOfBallot(best[p]) == epochOf(attempts[p] - 1)))
#endif

/* ---- a member */

inline promise(p, k, a) { save(a); promised[a] = ballot(p, k) }
#define mayPromise(p, k, a) (attempts[p] > (k) && serves(a, k) && ballot(p, k) > promised[a] && phase[p] != ASKING)

inline accept(p, k, a) {
    save(a);
    promised[a] = ballot(p, k); accepted[a] = ballot(p, k); value[a] = sent[(p) * ATTEMPTS + (k)] - 1
}
#define isSent(p, k) (sent[(p) * ATTEMPTS + (k)] != 0)
#if defined(IGNORE_PROMISES)
#define mayAccept(p, k, a) (isSent(p, k) && serves(a, k) && ballot(p, k) >= accepted[a])
#else
#define mayAccept(p, k, a) (isSent(p, k) && serves(a, k) && ballot(p, k) >= promised[a])
#endif

inline answered(p, a) {
    granted[p] = granted[p] | (1 << (a));
    if
    :: accepted[a] > best[p] -> best[p] = accepted[a]; held[p] = value[a]; agreeing[p] = 1
    :: accepted[a] == best[p] -> agreeing[p]++
    :: else
    fi
}
#define isAsked(p, a) ((granted[p] >> (a)) & 1)

inline settle(a) { promised[a] = accepted[a]; state[a] = ACTIVE; frozen[a] = 0; sources[a] = 0; page[a] = 0; pagedBallot[a] = 0; pagedValue[a] = 0 }

inline adopt(a) {
    if
    :: isMember(a) ->
        frozen[a] = (state[a] == ACTIVE || state[a] == SEALED);
        epoch[a] = 2; state[a] = LEARN; promised[a] = accepted[a];
        voted[a] = 0; elected[a] = 0; nominee[a] = 0;
        if
        :: frozen[a] && SOURCES == 1 -> settle(a)
#if defined(SKIP_PULL)
        :: frozen[a] && SOURCES != 1 -> settle(a)
#endif
        :: else
        fi
    :: else -> passed[a] = 1; voted[a] = 0; elected[a] = 0; nominee[a] = 0
    fi
}
/* that a node has been left out changes nothing until it is pulled from, and the pull says so as well */
#define mayAdopt(a) (decided && !knows(a) && isMember(a))

/* what y answers to a pull of epoch 2: all of it, its own of epoch 1, or nothing */
#define isFull(y) (epoch[y] == 2 && (state[y] == ACTIVE))
#define isOld(y) ((epoch[y] == 2 && state[y] == LEARN && frozen[y]) || (epoch[y] == 1 && (state[y] == ACTIVE || state[y] == SEALED)))
#define mayPull(x, y) (state[x] == LEARN && (x) != (y) && (isFull(y) || isOld(y)) && !((sources[x] >> (y)) & 1))

/* records of epoch 1 do not change once their node has stopped serving it, so it does not matter when they arrive */
inline pull(x, y) {
    if
    :: isFull(y) -> page[x] = 1; pagedBallot[x] = accepted[y]; pagedValue[x] = value[y]
    :: else ->
        if
        :: !knows(y) -> adopt(y)
        :: else
        fi;
#if !defined(NEVER_SEAL)
        if
        :: passed[y] -> state[y] = SEALED; promised[y] = accepted[y]
        :: else
        fi;
#endif
        take(x, accepted[y], value[y]);
        sources[x] = sources[x] | (1 << (y));
        if
        :: bits(sources[x]) + frozen[x] >= SOURCES -> settle(x)
        :: else
        fi
    fi
}

inline take(x, b, v) {
    if
    :: (b) > accepted[x] -> accepted[x] = b; promised[x] = b; value[x] = v
    :: else
    fi
}

inline merge(x) {
    if
    :: state[x] == LEARN -> take(x, pagedBallot[x], pagedValue[x]); settle(x)
    :: else
    fi;
    page[x] = 0; pagedBallot[x] = 0; pagedValue[x] = 0
}

#define activeIn2(a) (epoch[a] == 2 && state[a] == ACTIVE)
#define mayRetire(a) (passed[a] && state[a] != RETIRED && activeIn2(0) + activeIn2(1) + activeIn2(2) + activeIn2(3) >= NEEDED)
inline retire(a) { state[a] = RETIRED; promised[a] = 0; accepted[a] = 0; value[a] = NONE }

/* a proposer may forget its attempt at any time; beyond that, only a learner has something in memory */
#if defined(REPLY_BEFORE_SYNC) || defined(EMPTY_DISK)
#define mattersTo(a) true
#else
#define mattersTo(a) (sources[a] != 0 || page[a])
#endif
inline crash(a) {
    crashed = 1;
    sources[a] = 0; page[a] = 0; pagedBallot[a] = 0; pagedValue[a] = 0;
    if
    :: (a) < PROPOSERS && phase[a] != DONE ->
        forget(a)
    :: else
    fi;
#if defined(REPLY_BEFORE_SYNC)
    promised[a] = oldPromised[a]; accepted[a] = oldAccepted[a]; value[a] = oldValue[a];
#endif
#if defined(EMPTY_DISK)
    promised[a] = 0; accepted[a] = 0; value[a] = NONE; voted[a] = 0; elected[a] = 0; nominee[a] = 0;
#endif
    skip
}

/* ---- a proposer */

inline forget(p) { phase[p] = IDLE; granted[p] = 0; best[p] = 0; held[p] = 0; agreeing[p] = 0 }

inline tell(p, v) {
    assert((v) == NONE || told == 0 || told == ((v) == SWAPPED -> 1 : (v)));
    assert(((v) == NONE -> 0 : ((v) == SWAPPED -> 2 : 1)) >= before[p]);
    if
    :: (v) != NONE -> told = ((v) == SWAPPED -> 1 : (v))
    :: else
    fi;
    if
    :: (v) == SWAPPED -> reached = 2
    :: (v) != SWAPPED && (v) != NONE && reached == 0 -> reached = 1
    :: else
    fi;
    phase[p] = DONE; granted[p] = 0; best[p] = 0; held[p] = 0; agreeing[p] = 0; before[p] = 0
}

/* a client asks once; after an unknown outcome it asks again under the same operation id, in the epoch that it knows */
#define mayBegin(p, k) (phase[p] == IDLE && attempts[p] <= (k) && (epochOf(k) == 1 || decided))
inline begin(p, k) {
    if
    :: attempts[p] == 0 && operation(p) != CREATE -> before[p] = reached
    :: else
    fi;
    attempts[p] = (k) + 1;
    phase[p] = (operation(p) == READ -> ASKING : PREPARING)
}

#define isChange(p) ((operation(p) == CREATE && held[p] == NONE) || (operation(p) == SWAP && held[p] != NONE && held[p] != SWAPPED))
inline propose(p) {
    if
    :: !isChange(p) && isAgreed(p) -> tell(p, held[p])
    :: else ->
        sent[(p) * ATTEMPTS + attempts[p] - 1] = 1 + (isChange(p) -> (operation(p) == CREATE -> 1 + (p) : SWAPPED) : held[p]);
        held[p] = sent[(p) * ATTEMPTS + attempts[p] - 1] - 1;
        phase[p] = ACCEPTING; granted[p] = 0; best[p] = 0; agreeing[p] = 0
    fi
}

/* ---- a driver of the change, whose ballot is its number plus 1 */

#define mayNominate(d, a) (drive[d] >= ASKING && votes(a) && (d) + 1 > voted[a])
inline nominated(d, a) {
    won[d] = won[d] | (1 << (a));
    if
    :: elected[a] > bestVote[d] -> bestVote[d] = elected[a]; plan[d] = nominee[a]
    :: else
    fi
}
#define mayElect(d, a) (drive[d] >= ACCEPTING && votes(a) && (d) + 1 >= voted[a])
inline elect(d, a) { voted[a] = (d) + 1; elected[a] = (d) + 1; nominee[a] = plan[d] }

inline decide(d) {
    assert(decided == 0 || decided == plan[d]);
    decided = plan[d]; drive[d] = DONE; won[d] = 0
}

/* ---- who does it */

#define REGISTER(p, k, a) \
    :: d_step { mayPromise(p, k, a) && isCurrent(p, k) && phase[p] == PREPARING && !isAsked(p, a) -> promise(p, k, a); answered(p, a) } \
    :: d_step { mayPromise(p, k, a) -> promise(p, k, a) } \
    :: d_step { mayAccept(p, k, a) && isCurrent(p, k) && phase[p] == ACCEPTING && !isAsked(p, a) -> accept(p, k, a); granted[p] = granted[p] | (1 << (a)) } \
    :: d_step { mayAccept(p, k, a) && accepted[a] != ballot(p, k) -> accept(p, k, a) } \
    :: d_step { isCurrent(p, k) && phase[p] == ASKING && serves(a, k) && !isAsked(p, a) -> answered(p, a) }

#define VOTE(d, a) \
    :: d_step { mayNominate(d, a) && drive[d] == ASKING -> voted[a] = (d) + 1; nominated(d, a) } \
    :: d_step { mayNominate(d, a) -> voted[a] = (d) + 1 } \
    :: d_step { mayElect(d, a) && drive[d] == ACCEPTING && !((won[d] >> (a)) & 1) -> elect(d, a); won[d] = won[d] | (1 << (a)) } \
    :: d_step { mayElect(d, a) && elected[a] != (d) + 1 -> elect(d, a) }

#if ROUNDS == 1
#define ALL(p, a) REGISTER(p, 0, a) REGISTER(p, 1, a)
#define BEGIN(p) :: d_step { mayBegin(p, 0) -> begin(p, 0) } :: d_step { mayBegin(p, 1) -> begin(p, 1) }
#else
#define ALL(p, a) REGISTER(p, 0, a) REGISTER(p, 1, a) REGISTER(p, 2, a) REGISTER(p, 3, a)
#define BEGIN(p) \
    :: d_step { mayBegin(p, 0) -> begin(p, 0) } :: d_step { mayBegin(p, 1) -> begin(p, 1) } \
    :: d_step { mayBegin(p, 2) -> begin(p, 2) } :: d_step { mayBegin(p, 3) -> begin(p, 3) }
#endif

proctype Node(byte a) {
    do
    ALL(0, a)
    ALL(1, a)
#if defined(ELECTION)
    VOTE(0, a)
    VOTE(1, a)
#endif
    :: d_step { mayAdopt(a) -> adopt(a) }
    :: d_step { mayPull(a, 0) -> pull(a, 0) }
    :: d_step { mayPull(a, 1) -> pull(a, 1) }
    :: d_step { mayPull(a, 2) -> pull(a, 2) }
    :: d_step { mayPull(a, 3) -> pull(a, 3) }
    :: d_step { page[a] != 0 -> merge(a) }
    :: d_step { mayRetire(a) -> retire(a) }
    :: d_step { !crashed && mattersTo(a) -> crash(a) }
    od
}

proctype Proposer(byte p) {
    do
    BEGIN(p)
    :: d_step { phase[p] == PREPARING && bits(granted[p]) == NEEDED -> propose(p) }
    :: d_step { phase[p] == ACCEPTING && bits(granted[p]) >= NEEDED -> tell(p, held[p]) }
    :: d_step { phase[p] == ASKING && bits(granted[p]) >= NEEDED && isAgreed(p) -> tell(p, held[p]) }
    :: d_step { phase[p] == ASKING -> forget(p); phase[p] = PREPARING }
    :: d_step { phase[p] == PREPARING || phase[p] == ACCEPTING -> forget(p) }
    od
}

proctype Driver(byte d) {
    do
#if defined(ELECTION)
    :: d_step { drive[d] == IDLE -> drive[d] = ASKING }
    :: d_step { drive[d] == ASKING && bits(won[d]) >= NEEDED ->
        if
#if !defined(IGNORE_ACCEPTED)
        :: bestVote[d] != 0
#endif
        :: else -> plan[d] = (d) + 1
        fi;
        drive[d] = ACCEPTING; won[d] = 0; bestVote[d] = 0 }
    :: d_step { drive[d] == ACCEPTING && bits(won[d]) >= NEEDED -> decide(d) }
#else
    :: d_step { decided == 0 && (d) + 1 == PLAN -> decided = PLAN }
#endif
    od
}

init {
    atomic {
        epoch[0] = 1; epoch[1] = 1; epoch[2] = 1;
        state[0] = ACTIVE; state[1] = ACTIVE; state[2] = ACTIVE;
        run Node(0); run Node(1); run Node(2); run Node(3);
#if !defined(ELECTION)
        run Proposer(0); run Proposer(1);
#endif
        run Driver(0); run Driver(1)
    }
}
