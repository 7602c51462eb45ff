#define _GNU_SOURCE
#include "ceiling.h"
#include <stdio.h>
#include <string.h>

static uint32_t rotate(uint32_t value, int count) { return value << count | value >> (32 - count); }

/// SHA-1 (FIPS 180-4) of up to 119 bytes: a key of 24 and RFC 6455's GUID of 36 take two blocks.
static void sha1(const uint8_t *message, size_t byte_count, uint8_t digest[20]) {
  uint8_t padded[128] = {0};
  size_t block_count = byte_count + 9 <= 64 ? 1 : 2;
  memcpy(padded, message, byte_count);
  padded[byte_count] = 0x80;
  for (int i = 0; i < 4; i++) padded[block_count * 64 - 1 - i] = (uint8_t)(byte_count * 8 >> (8 * i));

  uint32_t state[5] = {0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476, 0xC3D2E1F0};
  for (size_t block = 0; block < block_count; block++) {
    uint32_t word[80];
    for (int i = 0; i < 16; i++) {
      const uint8_t *at = padded + block * 64 + i * 4;
      word[i] = (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
    }
    for (int i = 16; i < 80; i++) word[i] = rotate(word[i - 3] ^ word[i - 8] ^ word[i - 14] ^ word[i - 16], 1);
    uint32_t a = state[0], b = state[1], c = state[2], d = state[3], e = state[4];
    for (int i = 0; i < 80; i++) {
      uint32_t mix, constant;
      if (i < 20) mix = (b & c) | (~b & d), constant = 0x5A827999;
      else if (i < 40) mix = b ^ c ^ d, constant = 0x6ED9EBA1;
      else if (i < 60) mix = (b & c) | (b & d) | (c & d), constant = 0x8F1BBCDC;
      else mix = b ^ c ^ d, constant = 0xCA62C1D6;
      uint32_t next = rotate(a, 5) + mix + e + constant + word[i];
      e = d, d = c, c = rotate(b, 30), b = a, a = next;
    }
    state[0] += a, state[1] += b, state[2] += c, state[3] += d, state[4] += e;
  }
  for (int i = 0; i < 20; i++) digest[i] = (uint8_t)(state[i / 4] >> (24 - 8 * (i % 4)));
}

/// 20 bytes are 28 characters.
static void base64_of_digest(const uint8_t digest[20], char text[29]) {
  static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  uint8_t padded[21] = {0};
  memcpy(padded, digest, 20);
  for (int group = 0; group < 7; group++) {
    uint32_t bits = (uint32_t)padded[group * 3] << 16 | (uint32_t)padded[group * 3 + 1] << 8 | padded[group * 3 + 2];
    for (int i = 0; i < 4; i++) text[group * 4 + i] = alphabet[bits >> (18 - 6 * i) & 63];
  }
  text[27] = '=';
  text[28] = 0;
}

size_t handshake_answer(const char *head, size_t byte_count, char answer[256]) {
  static const char name[] = "Sec-WebSocket-Key: ";
  const char *key = memmem(head, byte_count, name, sizeof name - 1);
  if (key == NULL || (size_t)(head + byte_count - key) < sizeof name - 1 + 24) return 0;

  uint8_t message[60], digest[20];
  char accept[29];
  memcpy(message, key + sizeof name - 1, 24);
  memcpy(message + 24, "258EAFA5-E914-47DA-95CA-C5AB0DC85B11", 36);
  sha1(message, sizeof message, digest);
  base64_of_digest(digest, accept);
  return (size_t)snprintf(
      answer, 256,
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n%s\r\n",
      accept, is_compressed ? "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover\r\n" : "");
}
