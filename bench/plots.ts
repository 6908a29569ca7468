// Plots as SVG, by a library that needs no browser.
import * as echarts from 'echarts';
import type { Points } from './stage.js';

const SIZE = { width: 760, height: 420 };
const COLORS = ['#1f6feb', '#d1242f', '#57606a', '#1a7f37', '#8250df'];

function draw(option: echarts.EChartsOption): string {
  const chart = echarts.init(null, null, { renderer: 'svg', ssr: true, ...SIZE });
  chart.setOption({
    animation: false,
    backgroundColor: '#ffffff',
    textStyle: { fontFamily: 'sans-serif' },
    color: COLORS,
    ...option,
  });
  const svg = chart.renderToSVGString();
  chart.dispose();
  return `${svg}\n`;
}

const LINE_HEIGHT = 18;

/** A line each: how wide a text gets is not known without a browser. */
function legendOf(lines: number): Pick<echarts.EChartsOption, 'legend' | 'grid'> {
  const bottom = 60 + lines * LINE_HEIGHT;
  return {
    legend: { orient: 'vertical', left: 70, bottom: 4, itemGap: 4 },
    grid: { left: 70, right: 30, top: 45, bottom },
  };
}

/** For each line, the share of all values that are not greater. */
export function cumulative(
  title: string,
  unit: string,
  lines: Readonly<Record<string, readonly number[]>>,
  isLogarithmic: boolean,
): string {
  const series = Object.entries(lines)
    .filter(([, values]) => values.length > 0)
    .map(([name, values]) => {
      const sorted = [...values].sort((a, b) => a - b);
      const data = sorted.map((value, index) => [value, (index + 1) / sorted.length]);
      return { name, type: 'line' as const, step: 'end' as const, showSymbol: false, data };
    });
  const axis = isLogarithmic
    ? ({ type: 'log' } as const)
    : ({ type: 'value', scale: true } as const);
  return draw({
    title: { text: title, left: 'center', textStyle: { fontSize: 15 } },
    ...legendOf(series.length),
    xAxis: { ...axis, name: unit, nameLocation: 'middle', nameGap: 28 },
    yAxis: {
      ...{ type: 'value', min: 0, max: 1 },
      ...{ name: 'share of all', nameLocation: 'middle', nameGap: 42 },
    },
    series,
  });
}

/** One thing against another; both grow by the factor, so both axes are logarithmic. */
export function against(title: string, [x, y]: readonly [string, string], points: Points): string {
  const series = Object.entries(points).map(([name, line]) => ({
    ...{ name, type: 'line' as const, symbolSize: 7 },
    data: line.map(([at, value]) => [at, value]),
  }));
  return draw({
    title: { text: title, left: 'center', textStyle: { fontSize: 15 } },
    ...legendOf(series.length),
    xAxis: { type: 'log', name: x, nameLocation: 'middle', nameGap: 28 },
    yAxis: { type: 'log', name: y, nameLocation: 'middle', nameGap: 42 },
    series,
  });
}

/** A bar for each value, beside a line at their mean. */
export function bars(title: string, what: string, values: readonly number[]): string {
  const mean = values.reduce((a, b) => a + b, 0) / values.length;
  return draw({
    title: { text: title, left: 'center', textStyle: { fontSize: 15 } },
    grid: { left: 60, right: 30, top: 50, bottom: 50 },
    xAxis: {
      type: 'category',
      data: values.map((_, index) => `${index + 1}`),
      name: what,
      nameLocation: 'middle',
      nameGap: 28,
    },
    yAxis: { type: 'value', name: 'hand-offs' },
    series: [
      {
        type: 'bar',
        data: [...values],
        markLine: { symbol: 'none', data: [{ yAxis: mean, name: 'fair share' }] },
      },
    ],
  });
}
