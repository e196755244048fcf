"""An inverted index over generated text: strings, dicts of sets, sorting."""
from _common import main

SYLLABLES = ["ka", "lo", "mi", "ra", "te", "sun", "vo", "pri", "den", "qu", "ax", "il"]


def text(n):
    state = 12345
    for number in range(n):
        words = []
        for _ in range(30):
            state = (state * 1103515245 + 12345) & 0x7fffffff
            words.append(SYLLABLES[state % 12] + SYLLABLES[state // 12 % 12] + SYLLABLES[state // 144 % 5])
        yield number, " ".join(words).capitalize() + "."


def run(n):
    index = {}
    for number, line in text(n):
        for word in line.lower().replace(".", "").split():
            index.setdefault(word, set()).add(number)
    ranked = sorted(index.items(), key=lambda entry: (-len(entry[1]), entry[0]))
    common = ranked[0][1] & ranked[1][1]
    longest = max(index, key=lambda word: (len(word), word))
    return len(index), ranked[0][0], len(common), longest


if __name__ == "__main__":
    main(run, 22000, {8000: (720, 'kaqura', 20, 'sunsunte'), 22000: (720, 'sunquka', 34, 'sunsunte')})
