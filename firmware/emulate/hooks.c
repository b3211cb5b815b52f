/* Hooks for the unicorn emulator, called once per executed block (and per data access where wanted).
 *
 * No C library: memory comes from the caller, and the two unicorn functions needed are passed as pointers. A block is
 * kept per (address, size, operator it ran for), so that instructions and timing can be told apart by operator, shared
 * helpers included. */
#include <stddef.h>
#include <stdint.h>

#if defined(_WIN32)
#define TFH_EXPORT __declspec(dllexport)
#else
#define TFH_EXPORT __attribute__((visibility("default")))
#endif

enum {
    OWNER_INHERIT = 0xffff, /* code that belongs to whichever operator called it */
    NO_BLOCK = -1,
    REG_PC = 11,       /* UC_ARM_REG_PC */
    REG_XPSR = 120,    /* UC_ARM_REG_XPSR */
    WRITE_ACCESS = 17, /* UC_MEM_WRITE */
    FLAG_WRITE = 1,
    FLAG_UNALIGNED = 2,
    UNALIGNED_LOOKS = 256
};

typedef struct {
    uint32_t address;
    uint32_t size;
    uint32_t instructions;
    int32_t next; /* another block that starts at the same address */
    uint32_t owner;
    uint32_t unaligned; /* unaligned accesses looked at */
    uint64_t count;
    uint64_t fell_through;     /* times the block behind it in memory came next */
    uint64_t fetch_misses;     /* lines of flash that had to be waited for */
    uint64_t flash_read_bytes; /* by data accesses, where those are watched; so are the next four */
    uint64_t sram_read_bytes;
    uint64_t written_bytes;
    uint64_t unaligned_accesses;
    uint64_t split_accesses; /* what a bus of aligned accesses makes of them beyond one each */
} tfh_block_record;

typedef struct {
    uint32_t begin;
    uint32_t end;
    uint64_t reads;
    uint64_t writes;
    uint64_t read_bytes;
    uint64_t written_bytes;
} tfh_region;

typedef struct {
    uint32_t pc;
    uint32_t address;
    uint32_t size;
    uint32_t flags; /* FLAG_WRITE, FLAG_UNALIGNED */
} tfh_violation;

typedef struct {
    uint32_t code_base;
    uint32_t code_bytes;
    const uint8_t *code;
    const uint16_t *owner; /* per halfword of code: operator number + 1, 0 for none, or OWNER_INHERIT */
    int32_t *first;        /* per halfword of code: newest block that starts there */
    tfh_block_record *blocks;
    uint32_t capacity;
    uint32_t used;
    int32_t previous;
    uint32_t current; /* owner now running */
    uint64_t instructions;
    uint64_t limit; /* stop when this many were executed; 0: never */
    uint32_t overflowed;
    uint32_t stopped;
    tfh_region *regions;
    uint32_t region_count;
    uint32_t violation_capacity;
    uint32_t aligned_only; /* the core faults on every unaligned access */
    uint32_t flash_region; /* which of the regions is flash */
    tfh_violation *violations;
    uint64_t violation_count;
    int (*emu_stop)(void *uc);
    int (*reg_read)(void *uc, int reg, void *value);
    int (*reg_write)(void *uc, int reg, const void *value);
    uint32_t *lines;     /* addresses (in lines) of the flash lines at hand, by address modulo line_count */
    uint32_t line_count; /* 0: fetches are not followed */
    uint32_t line_shift;
    uint32_t last_line; /* fetched before this one */
    uint32_t padding;
} tfh_state;

/* Thumb: a first halfword of 0b11101, 0b11110 or 0b11111 in the top bits starts a 32-bit instruction. */
static uint32_t count_instructions(const uint8_t *code, uint32_t size)
{
    uint32_t n = 0u;
    for (uint32_t at = 0u; at < size; n++) {
        at += (uint32_t)(code[at + 1u] >> 3) >= 0x1du ? 4u : 2u;
    }
    return n;
}

static int32_t add_block(tfh_state *s, uint32_t slot, uint32_t address, uint32_t size)
{
    if (s->used >= s->capacity) {
        s->overflowed = 1u;
        return NO_BLOCK;
    }
    const int32_t index = (int32_t)s->used++;
    tfh_block_record *record = &s->blocks[index];
    record->address = address;
    record->size = size;
    record->instructions = count_instructions(s->code + (address - s->code_base), size);
    record->owner = s->current;
    record->next = s->first[slot];
    record->unaligned = 0u;
    record->count = 0u;
    record->fell_through = 0u;
    record->fetch_misses = 0u;
    record->flash_read_bytes = 0u;
    record->sram_read_bytes = 0u;
    record->written_bytes = 0u;
    record->unaligned_accesses = 0u;
    record->split_accesses = 0u;
    s->first[slot] = index;
    return index;
}

static int32_t find_block(tfh_state *s, uint32_t address, uint32_t size)
{
    const uint32_t slot = (address - s->code_base) >> 1;
    for (int32_t i = s->first[slot]; i != NO_BLOCK; i = s->blocks[i].next) {
        if (s->blocks[i].size == size && s->blocks[i].owner == s->current) {
            return i;
        }
    }
    return add_block(s, slot, address, size);
}

/* Lines of this block that are not at hand; the line behind the one before is prefetched. */
static uint32_t fetch(tfh_state *s, uint32_t address, uint32_t size)
{
    uint32_t misses = 0u;
    const uint32_t last = (address + size - 1u) >> s->line_shift;
    for (uint32_t line = address >> s->line_shift; line <= last; line++) {
        uint32_t *slot = &s->lines[line % s->line_count];
        if (*slot != line) {
            *slot = line;
            misses += line != s->last_line + 1u ? 1u : 0u;
        }
        s->last_line = line;
    }
    return misses;
}

TFH_EXPORT void tfh_block(void *uc, uint64_t where, uint32_t size, void *user)
{
    tfh_state *s = (tfh_state *)user;
    const uint32_t address = (uint32_t)where & ~1u;
    if (address - s->code_base >= s->code_bytes || size > s->code_bytes - (address - s->code_base)) {
        s->previous = NO_BLOCK;
        return;
    }
    const uint16_t owner = s->owner[(address - s->code_base) >> 1];
    if (owner != (uint16_t)OWNER_INHERIT) {
        s->current = owner;
    }
    if (s->previous != NO_BLOCK) {
        tfh_block_record *before = &s->blocks[s->previous];
        before->fell_through += before->address + before->size == address ? 1u : 0u;
    }
    s->previous = find_block(s, address, size);
    if (s->previous == NO_BLOCK) {
        return;
    }
    s->blocks[s->previous].count++;
    if (s->line_count != 0u) {
        s->blocks[s->previous].fetch_misses += fetch(s, address, size);
    }
    s->instructions += s->blocks[s->previous].instructions;
    if (s->limit != 0u && s->instructions > s->limit) {
        s->stopped = 1u;
        s->emu_stop(uc);
    }
}

static void note_violation(tfh_state *s, uint32_t pc, uint32_t address, uint32_t size, uint32_t flags)
{
    if (s->violation_count < s->violation_capacity) {
        tfh_violation *v = &s->violations[s->violation_count];
        v->pc = pc;
        v->address = address;
        v->size = size;
        v->flags = flags;
    }
    s->violation_count++;
}

/* Load/store multiple, double, exclusive and FPU transfers need word alignment on every core, though QEMU's M-profile
 * does not trap them. */
static uint32_t needs_alignment(const tfh_state *s, uint32_t pc)
{
    if (s->aligned_only != 0u) {
        return 1u;
    }
    if (pc - s->code_base >= s->code_bytes) {
        return 0u;
    }
    const uint32_t top = s->code[pc - s->code_base + 1u];
    return (top >= 0xc0u && top <= 0xcfu) || (top & 0xfeu) == 0xe8u || (top & 0xfeu) == 0xecu;
}

/* Asking for the PC inside a block costs far more than the access, and plain loads may be unaligned all the time:
 * only the first accesses of each block are looked at. */
static void check_alignment(tfh_state *s, void *uc, uint32_t address, uint32_t size, uint32_t flags)
{
    if (s->aligned_only == 0u && s->previous != NO_BLOCK && s->blocks[s->previous].unaligned++ >= UNALIGNED_LOOKS) {
        return;
    }
    uint32_t pc = 0u;
    s->reg_read(uc, REG_PC, &pc);
    if (needs_alignment(s, pc & ~1u)) {
        note_violation(s, pc, address, size, flags | FLAG_UNALIGNED);
    }
}

static void count_access(tfh_state *s, uint32_t region, uint32_t bytes, uint32_t write)
{
    if (s->previous == NO_BLOCK) {
        return;
    }
    tfh_block_record *block = &s->blocks[s->previous];
    if (write != 0u) {
        block->written_bytes += bytes;
    } else if (region == s->flash_region) {
        block->flash_read_bytes += bytes;
    } else {
        block->sram_read_bytes += bytes;
    }
}

/* A word at an odd address is a byte, a halfword and a byte on the bus; at an even one two halfwords. */
static void count_unaligned(tfh_state *s, uint32_t address, uint32_t bytes)
{
    if (s->previous != NO_BLOCK) {
        tfh_block_record *block = &s->blocks[s->previous];
        block->unaligned_accesses++;
        block->split_accesses += bytes >= 4u && (address & 1u) != 0u ? 2u : 1u;
    }
}

static void note_access(tfh_state *s, void *uc, uint32_t address, uint32_t bytes, uint32_t write)
{
    if ((address & (bytes - 1u) & 3u) != 0u) {
        check_alignment(s, uc, address, bytes, write);
        count_unaligned(s, address, bytes);
    }
    for (uint32_t i = 0u; i < s->region_count; i++) {
        tfh_region *region = &s->regions[i];
        if (address >= region->begin && address < region->end && bytes <= region->end - address) {
            if (write != 0u) {
                region->writes++;
                region->written_bytes += bytes;
            } else {
                region->reads++;
                region->read_bytes += bytes;
            }
            count_access(s, i, bytes, write);
            return;
        }
    }
    uint32_t pc = 0u;
    s->reg_read(uc, REG_PC, &pc);
    note_violation(s, pc, address, bytes, write);
}

/* unicorn recovers the registers before it calls this. After a conditional load that leaves the IT bits of the load in
 * the core's state, where translated code never has any; a block that starts behind a page boundary would then skip its
 * first instructions. So they are cleared again. */
static void clear_it_bits(tfh_state *s, void *uc)
{
    const uint32_t it_bits = 0x0600fc00u;
    uint32_t xpsr = 0u;
    s->reg_read(uc, REG_XPSR, &xpsr);
    if ((xpsr & it_bits) != 0u) {
        xpsr &= ~it_bits;
        s->reg_write(uc, REG_XPSR, &xpsr);
    }
}

TFH_EXPORT void tfh_memory(void *uc, int type, uint64_t where, int size, int64_t value, void *user)
{
    tfh_state *s = (tfh_state *)user;
    (void)value;
    note_access(s, uc, (uint32_t)where, (uint32_t)size, type == WRITE_ACCESS ? FLAG_WRITE : 0u);
    clear_it_bits(s, uc);
}

/* Size of the state, so that the Python side can check its own layout. */
TFH_EXPORT uint32_t tfh_state_bytes(void)
{
    return (uint32_t)sizeof(tfh_state);
}
