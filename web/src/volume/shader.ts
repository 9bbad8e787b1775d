// Rays through the volume. Lengths are parts of half the box's longest side; z runs downwards, as slices are counted.

export const VERTEX = `#version 300 es
void main() {
  gl_Position = vec4(vec2(gl_VertexID == 1 ? 3.0 : -1.0, gl_VertexID == 2 ? 3.0 : -1.0), 0.0, 1.0);
}`;

export const FRAGMENT = `#version 300 es
precision highp float;
precision highp sampler3D;
uniform sampler3D volume;  // red: grey value; green: the same, smoothed
uniform vec3 half_, voxel, right, up, towards, outLow, outHigh;
uniform vec2 stage, moved;
uniform float reach, threshold;
uniform int style;
out vec4 colour;

const vec3 SUBJECT = vec3(0.93, 0.89, 0.82);

vec2 at(vec3 p) { return texture(volume, p / (2.0 * half_) + 0.5).rg; }

vec2 crossing(vec3 from, vec3 along, vec3 low, vec3 high) {
  vec3 one = (low - from) / along, other = (high - from) / along;
  vec3 near = min(one, other), far = max(one, other);
  return vec2(max(max(near.x, near.y), near.z), min(min(far.x, far.y), far.z));
}

vec3 slope(vec3 p) {
  vec3 s = 1.5 * voxel;
  return vec3(at(p - vec3(s.x, 0, 0)).g - at(p + vec3(s.x, 0, 0)).g,
              at(p - vec3(0, s.y, 0)).g - at(p + vec3(0, s.y, 0)).g,
              at(p - vec3(0, 0, s.z)).g - at(p + vec3(0, 0, s.z)).g);
}

vec3 lit(vec3 p, vec3 subject, bool hollows) {
  vec3 normal = slope(p);
  normal /= length(normal) + 1e-6;
  vec3 light = -0.36 * right + 0.52 * up + 0.78 * towards;
  float step_ = min(voxel.x, min(voxel.y, voxel.z)), hollow = 0.0;
  if (hollows) for (float k = 2.0; k < 9.0; k *= 2.0) hollow += clamp(at(p + k * step_ * normal).g / threshold - 0.5, 0.0, 1.0) / k;
  float diffuse = clamp(dot(normal, light), 0.0, 1.0);
  float shine = pow(clamp(dot(normal, normalize(light + towards)), 0.0, 1.0), 24.0);
  float depth = 1.0 - 0.28 * clamp(0.5 - dot(p, towards) / (2.0 * length(half_)), 0.0, 1.0);
  return (0.16 + 0.92 * diffuse) * (1.0 - 0.55 * min(hollow, 1.0)) * depth * subject + 0.12 * shine;
}

void main() {
  vec2 place = (gl_FragCoord.xy / stage * 2.0 - 1.0) * vec2(stage.x / stage.y, 1.0) - moved;
  vec3 from = (right * place.x + up * place.y) * reach;
  vec3 along = -towards + vec3(1e-6);
  vec2 box = crossing(from, along, -half_, half_);
  if (box.x >= box.y) { colour = vec4(0.0); return; }
  vec2 cut = crossing(from, along, outLow, outHigh);
  bool cuts = cut.x < cut.y;
  float step_ = 0.7 * min(voxel.x, min(voxel.y, voxel.z));
  float t = cuts && cut.x <= box.x + 1e-5 ? max(cut.y, box.x) : box.x;
  // A grain of noise in the start hides the rings that equal steps would draw; not on faces, which are flat.
  float grain = fract(sin(dot(gl_FragCoord.xy, vec2(12.9898, 78.233))) * 43758.5453);
  bool fresh = true;
  float brightest = 0.0, sum = 0.0;
  vec4 seen = vec4(0.0);
  if (style != 0) t += grain * step_;
  for (int k = 0; k < 4096; k++) {
    if (cuts && t > cut.x && t < cut.y) { t = cut.y; fresh = true; }
    if (t >= box.y) break;
    vec3 p = from + (t + 1e-4) * along;
    vec2 v = at(p);
    if (style == 0) {
      if (v.g > threshold) {
        if (fresh) { colour = vec4(vec3(v.r), 1.0); return; }
        float low = t - step_, high = t;
        for (int n = 0; n < 5; n++) {
          float middle = 0.5 * (low + high);
          if (at(from + middle * along).g > threshold) high = middle; else low = middle;
        }
        colour = vec4(lit(from + high * along, SUBJECT, true), 1.0);
        return;
      }
    } else if (style == 1) {
      // Translucent: edges are seen, what is even is nearly clear; brighter matter is warmer.
      float edge = length(slope(p));
      float density = smoothstep(threshold - 0.06, threshold + 0.06, v.g);
      float opacity = 1.0 - exp(-step_ * (density * 0.35 + edge * density * 42.0));
      if (opacity > 0.001) {
        vec3 tint = mix(vec3(0.52, 0.72, 0.86), vec3(1.0, 0.86, 0.62), smoothstep(threshold, 1.0, v.g));
        seen += (1.0 - seen.a) * vec4(lit(p, tint, false) * opacity, opacity);
        if (seen.a > 0.97) break;
      }
    } else if (style == 2) {
      sum += step_ * v.r * smoothstep(threshold - 0.1, threshold + 0.02, v.g);
    } else {
      brightest = max(brightest, v.r);
      if (brightest > 0.997) break;
    }
    fresh = false;
    t += step_;
  }
  if (style == 1) colour = vec4(min(seen.rgb * 1.5, 1.0), seen.a);
  else if (style == 2) { float grey = 1.0 - exp(-1.35 * sum); colour = vec4(vec3(grey) * vec3(0.9, 0.97, 1.0), grey); }
  else if (style == 3) { float grey = smoothstep(0.5 * threshold, 1.0, brightest); colour = vec4(vec3(grey), grey); }
  else colour = vec4(0.0);
}`;
