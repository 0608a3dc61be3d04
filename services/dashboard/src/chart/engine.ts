/** The part of Apache ECharts that the page uses, in a file of its own: it loads behind the tables. */
import { BarChart, LineChart } from "echarts/charts";
import { GridComponent } from "echarts/components";
import * as echarts from "echarts/core";
import { CanvasRenderer } from "echarts/renderers";

echarts.use([BarChart, LineChart, GridComponent, CanvasRenderer]);

export { echarts };
